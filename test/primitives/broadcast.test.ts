import { afterEach, expect, test } from 'vitest';
import { isText, openChannel } from '../../src/primitives/broadcast.ts';
import { craft, FakeChannel, HALF, replaceChannel } from '../support/fake-channel.ts';

let restore = (): void => {};
afterEach(() => restore());

const asItIs = (posted: unknown): unknown => posted;

test('openChannel passes on what reads as a message, and nothing else', () => {
  restore = replaceChannel(FakeChannel);
  const heard: number[] = [];
  const read = (posted: unknown) => (typeof posted === 'number' ? posted : undefined);
  const [one, two] = [
    openChannel('a', read, (message) => heard.push(message)),
    openChannel('a', read, () => {}),
  ];
  two.post('x');
  two.post(1);
  one.close();
  two.post(2);
  expect(heard).toEqual([1]);
});

test('openChannel keeps what a listener throws, or rejects with, from the platform', async () => {
  restore = replaceChannel(FakeChannel);
  openChannel('a', asItIs, () => {
    throw new Error('mine');
  });
  openChannel('a', asItIs, () => Promise.reject(new Error('mine')));
  openChannel(
    'a',
    () => {
      throw new Error('mine');
    },
    () => {},
  );
  craft(1);
  await Promise.resolve();
  expect(FakeChannel.thrown).toEqual([]);
});

test.each<[string, unknown]>([
  ['is missing', undefined],
  [
    'throws when it is made',
    class {
      constructor() {
        throw new DOMException('opaque origin', 'SecurityError');
      }
    },
  ],
  [
    'throws when it posts',
    class {
      postMessage(): void {
        throw new DOMException('closed', 'InvalidStateError');
      }
      close(): void {}
    },
  ],
])('a BroadcastChannel that %s is no error', (_, platform) => {
  restore = replaceChannel(platform);
  const channel = openChannel('a', asItIs, () => {});
  channel.post(1);
  channel.close();
});

test.each([
  ['text', true],
  ['', true],
  ['ä😀', true],
  ['x'.repeat(100_001), false],
  [HALF, false],
  [5, false],
  [undefined, false],
])('isText tells well-formed text of a bounded length: %j', (value, expected) => {
  expect(isText(value)).toBe(expected);
});
