/**
 * What `import … from 'vitest'` means under `deno test`: the part of its interface that portable tests use, each test a
 * `Deno.test` of its own, and `expect` the very one of Vitest. Bun has such a translation built in.
 */
export { expect } from './expect.ts';
export { afterAll, afterEach, beforeAll, beforeEach, describe, onTestFinished, test } from './suite.ts';
