/** The server of the shop, and the ways to break it: plain fetch, to a control that always behaves. */
export const server = __SERVER__ ?? (await workerServer());

export interface Fault {
  readonly label: string;
  /** What the server does then. */
  readonly does: string;
  /** The rule for the server. Absent: it closes its port. */
  readonly rule?: { readonly match: object; readonly behaviour: object };
}

export const faults: readonly Fault[] = [
  { label: 'Disconnect', does: 'refuses every connection' },
  {
    label: 'Hang',
    does: 'accepts requests, never responds',
    rule: { match: {}, behaviour: { hang: true } },
  },
  {
    label: 'Fail',
    does: 'responds 503 to every request',
    rule: { match: {}, behaviour: { status: 503 } },
  },
  {
    label: 'Lose responses',
    does: 'does its work, responses get lost',
    rule: { match: {}, behaviour: { unknown: true } },
  },
  {
    label: 'Reject orders',
    does: 'responds 422 to every order',
    rule: { match: { method: 'POST' }, behaviour: { status: 422 } },
  },
];

/** A write as the server saw it. */
export interface LedgerEntry {
  /** The `Idempotency-Key`. */
  readonly key: string | null;
  /** How often it was received. */
  readonly seen: number;
  /** How often it took effect. */
  readonly applied: number;
}

export interface ServerState {
  readonly fault: Fault | undefined;
  /** A fault that this page has no button for. */
  readonly unknownFault: string | undefined;
  readonly ledger: readonly LedgerEntry[];
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** @returns `undefined` if the process of the server does not run. */
export async function inspect(): Promise<ServerState | undefined> {
  try {
    const [{ vanished, rules }, ledger] = await Promise.all([control('GET', ''), control('GET', 'ledger')]);
    const [rule] = rules;
    const fault = faults.find((known) =>
      vanished || !rule
        ? vanished && !known.rule
        : same(known.rule, { match: rule.match, behaviour: rule.behaviour }),
    );
    return { fault, unknownFault: rule && !fault ? JSON.stringify(rule.behaviour) : undefined, ledger };
  } catch {
    return undefined;
  }
}

/** One fault at a time: the one before ends. */
export async function breakServer({ rule }: Fault): Promise<void> {
  await healServer();
  await (rule ? control('POST', 'behaviour', rule) : control('POST', 'vanish'));
}

export const healServer = (): Promise<void> => control('POST', 'heal');

async function control(method: string, command: string, body?: object) {
  const response = await fetch(`${server.controlUrl}/control/${command}`, {
    method,
    body: body ? JSON.stringify(body) : null,
  });
  return response.json();
}

/** The static build has no server: a service worker receives the requests to `api/`, beside the page. */
async function workerServer(): Promise<{ url: string; controlUrl: string }> {
  const { serviceWorker } = navigator;
  const controlled = new Promise((done) => serviceWorker.addEventListener('controllerchange', done));
  await serviceWorker.register('server.js');
  // A page that was reloaded with Shift has no controller until the worker claims it.
  (await serviceWorker.ready).active?.postMessage('claim');
  if (!serviceWorker.controller) await controlled;
  const api = new URL('api', document.baseURI).href;
  return { url: `${api}/`, controlUrl: api };
}
