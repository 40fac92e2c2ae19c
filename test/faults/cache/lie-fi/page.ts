/** The functions that the test calls in a browser. */
import { Visitor } from './visitor.ts';

Object.assign(globalThis, { page: new Visitor() });
