import { cockatiel } from './cockatiel.ts';
import type { Contestant } from './contestant.ts';
import { ffetch } from './ffetch.ts';
import { floor, floorWithRequest, stub } from './floor.ts';
import {
  viaClient,
  viaFetch,
  withBulkhead,
  withDedupe,
  withLogs,
  withMetrics,
  withTelemetry,
} from './holdfast.ts';
import { kyAlone, kyBare, kyWithCockatiel } from './ky.ts';
import { ofetch, opossum, repeated } from './others.ts';

export const contestants: readonly Contestant[] = [
  stub,
  floor,
  floorWithRequest,
  viaFetch,
  withBulkhead,
  withDedupe,
  withTelemetry,
  withMetrics,
  withLogs,
  viaClient,
  kyBare,
  kyAlone,
  kyWithCockatiel,
  ffetch,
  cockatiel,
  opossum,
  ofetch,
  repeated,
];
