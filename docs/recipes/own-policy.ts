import { definePolicy, type Policy } from 'holdfast';

/** A stage: each attempt tells the origin how many milliseconds the caller still waits. */
export function remainingTime(header = 'x-time-left'): Policy {
  return definePolicy('remainingTime', {
    enter(run) {
      if (run.deadline === Infinity) return;
      const left = run.deadline - run.call.host.clock.ticks();
      const headers = new Headers(run.request.headers);
      headers.set(header, String(Math.max(0, Math.floor(left))));
      run.request = new Request(run.request, { headers });
    },
  });
}

/** A stage that repeats: a read to which a replica responds before the last write has reached it is sent again, up to three times. */
export function readYourWrites(versionOf: (response: Response) => number | undefined): Policy {
  const written = new Map<string, number>();
  return definePolicy<{ repeats: number }>('readYourWrites', {
    enter: () => ({ repeats: 0 }),
    leave(run, memory) {
      const version = run.response?.ok ? versionOf(run.response) : undefined;
      if (version === undefined) return;
      const newest = written.get(run.origin) ?? 0;
      if (run.method !== 'GET') written.set(run.origin, Math.max(newest, version));
      else if (version < newest && memory.repeats++ < 3)
        return async () => {
          await run.response?.body?.cancel();
          await run.wait(100 * memory.repeats);
          return 'repeat';
        };
    },
  });
}

/** A wrapper: reads go to a second origin as well, which is on trial. The caller neither waits for it nor sees its failures. */
export function shadow(origin: string): Policy {
  return definePolicy('shadow', (next, pipeline) => (request, call) => {
    if (request.method === 'GET') {
      const url = origin + request.url.slice(new URL(request.url).origin.length);
      const background = pipeline.background({ url, origin, partition: call.partition });
      const trial = next(new Request(url), background).then(
        (response) => response.body?.cancel(),
        () => {},
      );
      call.waitUntil(trial);
    }
    return next(request, call);
  });
}
