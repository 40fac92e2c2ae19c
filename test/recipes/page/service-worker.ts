/** An app that fetches by itself, and has added two calls. */
import { helpedFor, obey } from '../../../docs/recipes/service-worker.page.ts';

Object.assign(globalThis, { helpedFor, obey });
