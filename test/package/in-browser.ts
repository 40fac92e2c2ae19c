import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { launch } from '../../tools/runtimes/browsers.ts';
import { bundle } from './bundle.ts';
import type { Project } from './project.ts';

interface Report {
  readonly passed?: string[];
  readonly error?: string;
}

/** Serves the checks in a page of their own, opens it, and waits for what the page has to tell. */
export async function inBrowser(
  name: keyof typeof launch,
  project: Project,
  origin: string,
): Promise<string[]> {
  const bundled = await bundle(project, script(origin));
  const report = Promise.withResolvers<Report>();
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') report.resolve(JSON.parse(await text(request)));
    const [type, body] = request.url === '/script.js' ? ['text/javascript', bundled] : ['text/html', page];
    response.setHeader('Content-Type', `${type}; charset=utf-8`).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const browser = await launch[name]();
  try {
    const { port } = server.address() as AddressInfo;
    await browser.open(`http://127.0.0.1:${port}/`);
    const { passed, error } = await report.promise;
    if (!passed) throw new Error(error);
    return passed;
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

const page = '<!doctype html><title>holdfast</title><script type="module" src="/script.js"></script>';

const script = (origin: string) => `
  import { run } from './smoke.mjs';
  const report = await run(${JSON.stringify(origin)}).then(
    (passed) => ({ passed }),
    (error) => ({ error: String(error) }),
  );
  await fetch('/', { method: 'POST', body: JSON.stringify(report) });`;
