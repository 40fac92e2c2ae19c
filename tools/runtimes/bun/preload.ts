import { expect } from 'vitest';

// Bun's own is given the promise where it stands behind `rejects` or `resolves`. It takes `vitest` for `bun:test`.
expect.extend({
  toSatisfy: (received: unknown, isRight: (value: unknown) => boolean) => ({
    pass: isRight(received),
    message: () => `expected ${received} to satisfy ${isRight}`,
  }),
});
