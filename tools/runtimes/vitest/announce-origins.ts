import { inject } from 'vitest';

// Runs beside the tests, in whatever runtime that is, before each file.
Object.assign(import.meta.env, inject('origins'));
