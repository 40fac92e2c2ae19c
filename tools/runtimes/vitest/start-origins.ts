import type { TestProject } from 'vitest/node';
import { startOrigins } from '../origins.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    origins: Readonly<Record<string, string>>;
  }
}

/** Runs in Vitest's own process, once for each project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const origins = await startOrigins();
  project.provide('origins', origins.env);
  return origins.close;
}
