/** Runs in a page or in Deno: gets its worlds from where it was loaded, and reports there. */
import { type One, runOne } from './one.ts';

const AT_A_TIME = 6;

const control = location.origin;
const ones = (await (await fetch(`${control}/work`)).json()) as One[];
const tallies: unknown[] = [];
let next = 0;
const worker = async (): Promise<void> => {
  for (let index = next++; index < ones.length; index = next++)
    tallies[index] = await runOne(ones[index] as One);
};
await Promise.all(Array.from({ length: AT_A_TIME }, worker));
await fetch(`${control}/result`, { method: 'POST', body: JSON.stringify(tallies) });
