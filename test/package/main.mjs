import { run } from './smoke.mjs';

console.log(JSON.stringify(await run(process.argv[2])));
