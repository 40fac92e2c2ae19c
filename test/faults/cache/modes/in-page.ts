/** The functions that a test calls in a page. */
import { indexedDBStore } from '../../../../src/index.ts';
import { Page } from './page.ts';

const page = new Page({ validators: 'platform', store: indexedDBStore({ name: 'modes' }) });

export type InPage = Pick<Page, 'read'>;

Object.assign(globalThis, { page });
