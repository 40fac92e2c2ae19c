/** The server of the shop; `start.ts` writes it into the page. `undefined` in the static build: a service worker is the server. */
declare const __SERVER__: { readonly url: string; readonly controlUrl: string } | undefined;
