/** What an application has of its own. Pages use these names and do not explain them. */

interface User {
  readonly id: string;
  readonly token: string;
}
declare const user: User;
declare const session: { readonly token?: string; readonly user?: User };
declare const order: { readonly id: string; readonly item: string };
declare const invoice: { readonly id: string };
declare const note: { readonly text: string };
declare const change: { readonly text?: string };
declare const baseUrl: string;
declare const url: string;
declare const urls: readonly string[];
declare const id: string;
declare const ids: readonly string[];
declare const error: unknown;
declare const controller: AbortController;
declare const settings: { readonly withoutWorker: boolean };
declare const isDevelopment: boolean;
declare const origins: readonly string[];
declare const env: { readonly TOKEN: string };
declare const firebaseUser: { getIdToken(isForced: boolean): Promise<string> };
declare const i18n: { t(key: string): string };
declare class SoldOutError extends Error {}
declare function userOfToken(token?: string): string | undefined;

// What a page shows, by whatever framework.
declare function show(...shown: unknown[]): void;
declare function showProblem(text: string): void;
declare function showSent(id: string): void;
declare function showWaiting(id: string): void;
declare function showRefused(id: string, reason: unknown): void;
declare function showDeadLetter(id: string, reason: unknown): void;
declare function showLogin(reason: string): void;
declare function askToSignIn(): void;
declare function login(): Promise<{ access_token: string; refresh_token: string; expires_in: number }>;
declare function refresh(url: string): void;
declare function comeBack(at: number | undefined): void;
declare function log(...logged: unknown[]): void;
declare function alarm(...logged: unknown[]): void;
declare function badge(state: string): void;
declare function bar(done: number, total: number | undefined): void;
declare function mark(item: unknown, reason: unknown): void;
declare function confirmed(response: Response): void;
declare function mend(text: string): string;
declare function save(...saved: unknown[]): void;

// Parts of platforms that pages use. Their own types exclude each other.
declare module 'cloudflare:workers' {
  export class DurableObject<Env = unknown> {
    constructor(ctx: import('holdfast/cloudflare').OutboxObjectState, env: Env);
    protected readonly ctx: import('holdfast/cloudflare').OutboxObjectState;
    protected readonly env: Env;
  }
  export const env: Env;
}
interface Env {
  readonly TOKEN: string;
  readonly UPSTREAM: string;
  readonly RESPONSES: import('holdfast/cloudflare').WorkersKV;
  readonly CACHE: import('holdfast/cloudflare').WorkersKV;
  readonly BODIES: import('holdfast/cloudflare').WorkersKV;
  readonly COORDINATOR: import('holdfast/cloudflare').CoordinatorNamespace;
  readonly ORDERS: { getByName(name: string): import('holdfast/cloudflare').OutboxObject };
  readonly ORDERS_QUEUE: import('holdfast/cloudflare').QueueProducer;
}
interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
}
type MessageBatch = import('holdfast/cloudflare').QueueBatch;
declare module 'bun:sqlite' {
  export class Database {
    constructor(path: string);
    query(sql: string): { all(...values: unknown[]): Record<string, never>[] };
  }
}
declare module '@sentry/browser' {
  export * from '@sentry/core';
}
declare const Deno: {
  openKv(path?: string): Promise<import('holdfast/deno').DenoKv>;
  serve(handler: (request: Request) => Promise<Response>): { shutdown(): Promise<void> };
  cron?(name: string, schedule: string, handler: () => void | Promise<void>): Promise<void>;
  addSignalListener(signal: 'SIGTERM', handler: () => void): void;
  exit(code: number): never;
};
