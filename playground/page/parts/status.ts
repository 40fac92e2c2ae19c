import { type ClientHealth, clientHealth } from 'holdfast/health';
import { parts } from '../client.ts';
import source from '../client.ts?raw';
import { badge, byId, type Tone, write } from '../dom.ts';
import { count } from '../words.ts';

const TONES: Readonly<Record<ClientHealth['status'], Tone>> = {
  ok: 'good',
  degraded: 'waiting',
  down: 'bad',
};

/** The health of the client, as a status page would show it, and the client's code. */
export function showStatus(): void {
  const code = source.split('\n').filter((line) => !line.includes('./server.ts'));
  write(byId('code'), code.join('\n').trim());

  async function show(): Promise<void> {
    const health = await clientHealth(parts);
    badge(byId('status-mark'), health.status, TONES[health.status]);
    write(byId('status-says'), reasons(health));
  }
  void show();
  setInterval(() => void show(), 1000);
}

function reasons({ reachability, circuits, outbox }: ClientHealth): string {
  const open = circuits.filter(({ state }) => state !== 'closed').length;
  const { waiting = 0, deadLetters = 0, paused } = outbox && !('error' in outbox) ? outbox : {};
  const reasons = [
    reachability !== 'online' && `The browser is ${reachability}.`,
    open > 0 && `${count(open, 'circuit')} not closed.`,
    paused && 'The outbox is paused.',
    waiting > 0 && `${count(waiting, 'order')} waiting.`,
    deadLetters > 0 && `${count(deadLetters, 'order')} refused for good.`,
  ].filter(Boolean);
  return reasons.length > 0 ? reasons.join(' ') : 'All is well.';
}
