import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

/** Writes the list of the shell's files, and a digest of their contents, into the service worker. */
const shell = (): Plugin => ({
  name: 'shell',
  generateBundle: {
    order: 'post',
    handler(_, bundle) {
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') throw new Error('sw.js is missing');
      const files = new Map<string, string | Uint8Array>();
      for (const name of readdirSync('public')) files.set(name, readFileSync(`public/${name}`));
      for (const [name, file] of Object.entries(bundle))
        if (file !== worker) files.set(name, file.type === 'chunk' ? file.code : file.source);
      const digest = createHash('sha256');
      for (const [name, content] of files) digest.update(name).update(content);
      const list = { version: digest.digest('hex').slice(0, 12), files: [...files.keys()] };
      worker.code = `globalThis.SHELL = ${JSON.stringify(list)};\n${worker.code}`;
    },
  },
});

export default defineConfig({
  plugins: [shell()],
  build: {
    target: 'es2022',
    rolldownOptions: {
      input: { page: 'index.html', sw: 'src/sw.ts' },
      // The address of a service worker never changes.
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
