export type {
  AtomicStore,
  Change,
  Item,
  ItemWithBody,
  RangeQuery,
  Store,
  StoredBody,
  Transaction,
} from './core/store.ts';
