/** Why a runtime differs from the others. Each was seen in the server's count of requests. */
export const notes = {
  tenTimes:
    'Firefox sends a GET whose connection is reset before the answer up to ten times by itself, also on a new connection (`network.http.request.max-attempts`). Ten requests are one attempt for us.',
  twice:
    'Deno 2.9 sends a request whose connection is reset before the answer once more by itself, also a POST, also on a new connection, if it has the whole body at hand ([denoland/deno#35610](https://github.com/denoland/deno/issues/35610)). A write without an `Idempotency-Key` may take effect twice.',
  usedBefore:
    'A connection that was kept may have been closed meanwhile by the server, and so most runtimes send again by themselves what was sent on one that turns out to be broken: Chromium and Firefox a POST too, WebKit and Bun what is idempotent, Deno what it has at hand. Node and Cloudflare Workers leave it to us. How often WebKit does it is not the same each time.',
  cutShort:
    'WebKit (WebKitGTK with libsoup) takes the end of a connection for the end of the body where the answer says `Connection: close`, whatever `Content-Length` says. Where the connection was to be kept it is an error there too.',
  cors: 'Only browsers have CORS. Without its headers an answer is a network error there, and a request with a preflight (PUT, an `Idempotency-Key`) is not even sent; without `Access-Control-Expose-Headers` nobody hears `Retry-After`.',
} as const;

export type Note = keyof typeof notes;
