/** What tests use of the modules that only Workers have. */

declare module 'cloudflare:workers' {
  export class DurableObject {}

  export const env: {
    readonly KV: import('../../../src/cloudflare.ts').WorkersKV;
    readonly BOX: import('../../../test/support/in-object.ts').BoxNamespace;
    readonly BOX_WITHOUT_SQL: import('../../../test/support/in-object.ts').BoxNamespace;
    readonly ORDERS: import('../../../test/support/in-object.ts').BoxNamespace;
    readonly COORDINATOR: {
      getByName(
        name: string,
      ): import('../../../test/support/in-object.ts').BoxStub &
        import('../../../src/cloudflare.ts').CoordinatorObject;
    };
  };
}

declare module 'cloudflare:test' {
  type Stub = import('../../../test/support/in-object.ts').BoxStub;
  type Storage = import('../../../src/cloudflare.ts').SqlDurableObjectStorage;

  export function runInDurableObject<R>(
    stub: Stub,
    run: (instance: unknown, state: { readonly storage: Storage }) => R | Promise<R>,
  ): Promise<R>;
  export function runDurableObjectAlarm(stub: Stub): Promise<boolean>;
  export function evictDurableObject(stub: Stub): Promise<void>;
  export function reset(): Promise<void>;
  export function createExecutionContext(): { waitUntil(work: Promise<unknown>): void };
  export function waitOnExecutionContext(context: object): Promise<void>;
}
