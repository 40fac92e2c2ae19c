/** Why a runtime differs from the others. Each was seen in the server's count of requests. */
export const notes = {
  tenTimes:
    'If a connection is reset before the response, Firefox sends a GET up to ten times by itself, also on a new connection (`network.http.request.max-attempts`). Ten requests are one attempt for us.',
  twice:
    'If a connection is reset before the response, Deno 2.9 sends the request once more by itself: also a POST, also on a new connection, if it has the whole body ([denoland/deno#35610](https://github.com/denoland/deno/issues/35610)). A write without an `Idempotency-Key` may take effect twice.',
  usedBefore:
    'The server may have closed a connection that was kept. So most runtimes send a request again by themselves if its connection is broken. Chromium and Firefox do it with a POST too, WebKit and Bun with idempotent methods, Deno with a body that it still has. Node and Cloudflare Workers leave it to us. How often depends on the connections that they have kept: up to ten times for one attempt. The rows of Node and Workers show how many requests are ours.',
  cutShort:
    'WebKit (WebKitGTK with libsoup) takes the end of a connection for the end of the body if the response says `Connection: close`, whatever `Content-Length` says. On a connection that stays open it is an error there, too.',
  cors: 'Only browsers have CORS. Without its headers a response is a network error there. A request with a preflight (PUT, an `Idempotency-Key`) is not even sent. Without `Access-Control-Expose-Headers`, `Retry-After` is hidden.',
} as const;

export type Note = keyof typeof notes;
