import { describe, expect, test } from 'vitest';
import { runCommand } from './command.ts';

const node = (script: string, timeLimit = 10_000) =>
  runCommand([process.execPath, '-e', script], { env: { GREETING: 'hello' }, timeLimit });

describe('a command', () => {
  test('gives what it wrote', async () => {
    expect(await node('console.log(process.env.GREETING)')).toEqual({ output: 'hello\n' });
  });

  test('that fails says with what', async () => {
    const ended = await node('console.error("oh"); process.exitCode = 3');
    expect(ended).toEqual({ output: 'oh\n', problem: 'ended with code 3' });
  });

  test('that does not end is ended, and what it started too', async () => {
    // The second holds the output open, as a browser does.
    const script = `require('node:child_process').spawn('sleep', ['60'], { stdio: 'inherit' }); setInterval(() => {}, 1000)`;
    const since = performance.now();
    expect(await node(script, 300)).toEqual({ output: '', problem: 'had not ended after 0.3 s' });
    expect(performance.now() - since).toBeLessThan(5000);
  });

  test('that is not there rejects', async () => {
    await expect(runCommand(['./no-such-program'], { timeLimit: 1000 })).rejects.toThrow('ENOENT');
  });
});
