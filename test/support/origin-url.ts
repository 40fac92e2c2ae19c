/**
 * Where the misbehaving server of this run listens. The runner starts the servers, too, and says so in the
 * environment: `process.env` where there is one, and Vite's `import.meta.env` in a browser.
 */
export function originUrl(): string {
  return setting('HOLDFAST_TEST_ORIGIN');
}

/** A second server on another port, which makes it another origin. */
export function otherOriginUrl(): string {
  return setting('HOLDFAST_TEST_OTHER_ORIGIN');
}

/** A third one, which closes each connection after one response; `control` is on a port of its own, and keeps them. */
export function briefOrigin(): { url: string; control: string } {
  return { url: setting('HOLDFAST_TEST_BRIEF_ORIGIN'), control: setting('HOLDFAST_TEST_BRIEF_CONTROL') };
}

/** Keeps its connections, as the first two do; reserved for tests that count them. */
export function lastingOriginUrl(): string {
  return setting('HOLDFAST_TEST_LASTING_ORIGIN');
}

type Settings = Record<string, string | undefined>;

function setting(name: string): string {
  const { process } = globalThis as { process?: { env?: Settings } };
  // In full, because Vite looks for these words. Deno knows no such thing.
  const viteEnv: Settings | undefined = import.meta.env;
  const value = process?.env?.[name] ?? viteEnv?.[name];
  if (!value) throw new Error(`${name} is not set: run the tests through \`npm test\` or \`npx vitest\``);
  return value;
}
