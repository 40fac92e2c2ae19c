/** What the servers use of Deno, for a compiler that does not come with it. */
declare namespace Deno {
  const args: readonly string[];
  const env: { get(name: string): string | undefined };
  function openKv(path: string): Promise<import('../../src/deno.ts').DenoKv>;
  /** There with `--unstable-cron`. */
  const cron:
    | ((
        name: string,
        schedule: string,
        options: { readonly signal: AbortSignal },
        handler: () => void | Promise<void>,
      ) => Promise<void>)
    | undefined;
  function serve(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly onListen: (at: { readonly port: number }) => void;
    },
    handler: (request: Request) => Promise<Response>,
  ): { shutdown(): Promise<void> };
  function addSignalListener(signal: 'SIGINT' | 'SIGTERM', heard: () => void): void;
  function exit(code: number): never;
}
