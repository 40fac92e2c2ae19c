import { type Contestant, HOUR, reading, type Transport } from './contestant.ts';

/** The stub alone: what every other figure is divided by. */
export const stub: Contestant = {
  name: 'stub',
  call: (transport) => reading(transport),
};

const RETRIES = 2;
const TIME_LIMIT = 10_000;
const SLOTS = 10_000;

interface Origin {
  failures: number;
  openUntil: number;
  inFlight: number;
}

/**
 * What one would write by hand for one application: a time limit, a loop, a count of failures and one of calls in flight
 * per origin. No options, no events, no late failures, nobody's own abort.
 */
function byHand(transport: Transport, prepare: (url: string) => Request | string, threshold = Infinity) {
  const origins = new Map<string, Origin>();
  return async (url: string): Promise<Response> => {
    const key = new URL(url).origin;
    let origin = origins.get(key);
    if (!origin) {
      origin = { failures: 0, openUntil: 0, inFlight: 0 };
      origins.set(key, origin);
    }
    if (origin.openUntil > Date.now()) throw new Error(`circuit of ${key} is open`);
    if (origin.inFlight >= SLOTS) throw new Error(`${key} is busy`);
    const request = prepare(url);
    origin.inFlight++;
    try {
      for (let attempt = 0; ; attempt++) {
        let response: Response | undefined;
        try {
          response = await inTime(transport, request);
        } catch (error) {
          if (attempt === RETRIES) throw error;
        }
        if (response && response.status < 500) {
          origin.failures = 0;
          return response;
        }
        if (++origin.failures >= threshold) origin.openUntil = Date.now() + HOUR;
        if (response && attempt === RETRIES) return response;
        await response?.body?.cancel();
      }
    } finally {
      origin.inFlight--;
    }
  };
}

async function inTime(transport: Transport, request: Request | string): Promise<Response> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIME_LIMIT);
  try {
    return await transport(request, { signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

const contestant = (name: string, prepare: (url: string) => Request | string): Contestant => ({
  name,
  call: (transport) => reading(byHand(transport, prepare)),
  repeating: (transport) => reading(byHand(transport, prepare)),
  breaking: (transport) => reading(byHand(transport, prepare, 5)),
});

export const floor = contestant('by hand', (url) => url);

export const floorWithRequest = contestant('by hand, with a Request', (url) => new Request(url));
