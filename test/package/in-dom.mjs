/** Runs the checks in Node with the globals of a simulated page, put in place as test runners do it. */
import { pathToFileURL } from 'node:url';
import { builtinEnvironments } from 'vitest/runtime';

const [, , environment, smoke, origin] = process.argv;
const { teardown } = await builtinEnvironments[environment].setup(globalThis, {});
const { run } = await import(pathToFileURL(smoke).href);
const passed = await run(origin);
await teardown(globalThis);
console.log(JSON.stringify(passed));
