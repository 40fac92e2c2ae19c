import { Miniflare } from 'miniflare';
import { bundle } from './bundle.ts';
import type { Project } from './project.ts';

export async function inWorkerd(project: Project, origin: string): Promise<string[]> {
  const contents = await bundle(project, worker, ['workerd', 'worker', 'browser']);
  const miniflare = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents }],
    compatibilityDate: '2026-07-01',
    bindings: { ORIGIN: origin },
    // Otherwise it asks the network for a description of where it runs.
    cf: false,
  });
  try {
    const response = await miniflare.dispatchFetch('http://worker/');
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as string[];
  } finally {
    await miniflare.dispose();
  }
}

const worker = `
  import { run } from './smoke.mjs';
  export default {
    async fetch(request, { ORIGIN }) {
      try {
        return Response.json(await run(ORIGIN));
      } catch (error) {
        return new Response(String(error.stack), { status: 500 });
      }
    },
  };`;
