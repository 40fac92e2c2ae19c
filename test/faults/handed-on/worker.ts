import { handler } from './handler.ts';

let respond: ReturnType<typeof handler> | undefined;

export default {
  fetch(
    request: Request,
    { UPSTREAM }: { UPSTREAM: string },
    context: { waitUntil(work: Promise<unknown>): void },
  ): Promise<Response> {
    respond ??= handler(UPSTREAM);
    return respond(request, (work) => context.waitUntil(work));
  },
};
