import { createFetch } from 'holdfast';
import { userMessage } from 'holdfast/log';
import { toProblemResponse } from 'holdfast/problem';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';

// Outside the handlers: circuits and budgets live as long as the isolate.
const upstream = createFetch({
  timeout: { attempt: '2s', total: '5s' },
  retry: 1,
  breaker: { maxWait: '1s' },
});

const app = new Hono<{ Bindings: { UPSTREAM: string } }>();

app.use(cors());

app.get('/orders', async (c) => {
  const answer = await upstream(new URL('/orders', c.env.UPSTREAM), {
    signal: c.req.raw.signal,
    holdfast: { operation: 'orders', waitUntil: (work) => c.executionCtx.waitUntil(work) },
  });
  // What the upstream says of the request is for the client to know; that it is in trouble itself is for us.
  if (answer.status < 500 && answer.status !== 429) return answer;
  await answer.body?.cancel();
  return toProblem(answer);
});

app.onError((error) => (error instanceof HTTPException ? error.getResponse() : toProblem(error)));

/** A sentence for people and a status for machines, and nothing of what went wrong behind us. */
const toProblem = (failure: unknown): Response =>
  toProblemResponse(failure, { extensions: { detail: userMessage(failure) } });

export default app;
