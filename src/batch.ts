export {
  type Batch,
  type BatchContext,
  type BatchOptions,
  type BatchOutcome,
  type BatchProgress,
  batch,
} from './observability/batch.ts';
