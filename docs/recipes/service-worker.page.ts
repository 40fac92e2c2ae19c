import { killSwitch, sharedSession } from 'holdfast/service-worker';

const session = sharedSession();
const worker = killSwitch();

/** Where the app starts, and after each login and logout. @param user The user of the page. */
export async function helpedFor(user: string | undefined): Promise<void> {
  await (user === undefined ? session.signOut() : session.signIn(user));
  await navigator.serviceWorker?.register('/worker.js');
}

/** Now and then. @param url A file such as `{"worker": false}`, which is there also when the app is in trouble. */
export async function obey(url: string): Promise<void> {
  const settings = await fetch(url, { cache: 'no-store' })
    .then((answer) => answer.json())
    .catch(() => undefined);
  // What cannot be read changes nothing.
  if (settings?.worker === false) await worker.turnOff();
  if (settings?.worker === true) await worker.turnOn();
}
