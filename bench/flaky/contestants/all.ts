import type { Contestant } from './contestant.ts';
import { viaClient, viaFetch } from './holdfast.ts';
import { native } from './native.ts';
import { peers } from './peers.ts';

export const contestants: readonly Contestant[] = [native, ...peers, viaFetch, viaClient];
