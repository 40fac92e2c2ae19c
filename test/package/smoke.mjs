/** What must hold wherever the packed package is used, by its public names alone. It is copied beside an installed one. */
import { createFetch } from 'holdfast';

const checks = {
  async 'createFetch gets an answer'(origin) {
    const fetch = createFetch();
    const response = await fetch(`${origin}/echo`);
    equal(response.status, 200);
    equal((await response.json()).method, 'GET');
  },
};

/** @returns the names of the checks that passed, which are all of them, as the first that does not is thrown */
export async function run(origin) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(origin);
    } catch (error) {
      throw new Error(`${name}: ${error}`, { cause: error });
    }
  }
  return Object.keys(checks);
}

function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${expected}, got ${actual}`);
}
