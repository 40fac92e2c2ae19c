import { handler } from './handler.ts';

let answer: ReturnType<typeof handler> | undefined;

export default {
  fetch(
    request: Request,
    { UPSTREAM }: { UPSTREAM: string },
    context: { waitUntil(work: Promise<unknown>): void },
  ): Promise<Response> {
    answer ??= handler(UPSTREAM);
    return answer(request, (work) => context.waitUntil(work));
  },
};
