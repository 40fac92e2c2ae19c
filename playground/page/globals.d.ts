/** Where the origin is that the page breaks; `start.ts` knows. */
declare const __ORIGIN__: { readonly url: string; readonly controlUrl: string };
