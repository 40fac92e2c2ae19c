/** A `BroadcastChannel` that delivers at once, and shows what a listener throws. */
export class FakeChannel {
  static readonly open = new Set<FakeChannel>();
  static readonly thrown: unknown[] = [];
  readonly name: string;
  onmessage: ((event: { data: unknown }) => unknown) | null = null;

  constructor(name: string) {
    this.name = name;
    FakeChannel.open.add(this);
  }

  postMessage(message: unknown): void {
    for (const other of FakeChannel.open) if (other !== this && other.name === this.name) other.hear(message);
  }

  hear(message: unknown): void {
    try {
      this.onmessage?.({ data: structuredClone(message) });
    } catch (error) {
      FakeChannel.thrown.push(error);
    }
  }

  close(): void {
    FakeChannel.open.delete(this);
  }
}

const platforms = Object.getOwnPropertyDescriptor(globalThis, 'BroadcastChannel');

/** Puts another one in the place of the platform's. @returns puts that back. */
export function replaceChannel(other: unknown): () => void {
  Object.defineProperty(globalThis, 'BroadcastChannel', { value: other, configurable: true, writable: true });
  return () => {
    FakeChannel.open.clear();
    FakeChannel.thrown.length = 0;
    if (platforms) Object.defineProperty(globalThis, 'BroadcastChannel', platforms);
    else Reflect.deleteProperty(globalThis, 'BroadcastChannel');
  };
}

/** Posts a message on every open channel, as any script of the origin may. */
export function craft(...messages: unknown[]): void {
  for (const channel of [...FakeChannel.open]) for (const message of messages) channel.hear(message);
}

/** Half a character: it cannot be encoded. */
export const HALF = '\ud800';

/** No message of any listener, or one with a field that is none. */
export const garbage: readonly unknown[] = [
  null,
  undefined,
  5,
  '',
  HALF,
  [],
  {},
  { key: HALF, is: 'open', left: 1, times: 1 },
  { key: 1, is: 'open', left: 1, times: 1 },
  { key: 'x'.repeat(1e6), is: 'open', left: 1, times: 1 },
  { what: 'deleted', partition: HALF, at: 1 },
  { what: 'deleted', partition: 'ann', url: HALF, at: 1 },
  { what: 'deleted', partition: 'ann', url: {}, at: 1 },
  { what: 'deleted', at: Number.NaN },
  { what: 'lost', at: 1 },
  { user: HALF },
  { user: 'ann', was: HALF },
  { user: 'ann', now: { accessToken: 5 } },
  { event: null, partition: 'ann' },
  { event: { type: 'queued' }, partition: 'ann' },
  { event: { type: 'queued', id: '1', lane: HALF }, partition: 'ann' },
  { event: { type: 'sending', id: '1', lane: {} }, partition: 'ann' },
  { event: { type: 'postponed', id: '1', lane: 'a', at: 'soon' }, partition: 'ann' },
  { event: { type: 'finished', id: '1', lane: 'a', outcome: 'delivered' }, partition: HALF, key: '1' },
  { event: { type: 'finished', id: '1', lane: 'a', outcome: 'delivered' }, partition: 'ann', key: HALF },
];
