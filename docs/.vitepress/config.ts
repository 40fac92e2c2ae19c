import { defineConfig } from 'vitepress';
import { anchorOf } from '../../scripts/docs/pages.ts';
import { sidebar } from '../../scripts/docs/site.ts';

const groups = sidebar();

export default defineConfig({
  title: 'holdfast',
  description: 'A fetch for networks that fail',
  lang: 'en',
  // Browsers ask for one, and there is none.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcDir: '.vitepress/pages',
  cacheDir: '../node_modules/.cache/holdfast-docs',
  // The index of the search is one file.
  vite: { build: { chunkSizeWarningLimit: 4_000 } },
  markdown: { anchor: { slugify: anchorOf } },
  themeConfig: {
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          searchOptions: {
            // Guides first: the generated pages have each word many times.
            boostDocument: (id: string) =>
              /^\/(reference|fault-matrix|http-caching|flaky)/.test(id) ? 0.3 : 1,
          },
        },
      },
    },
    sidebar: groups.map((group) => ({ ...group, items: [...group.items] })),
    nav: [
      ...groups.map(({ text, items: [first] }) => ({ text, link: first?.link ?? '/' })),
      // No page of VitePress: without a target its router would look for one.
      { text: 'Playground', link: '/playground/', target: '_self' },
    ],
    outline: [2, 3],
    externalLinkIcon: true,
  },
});
