import type { Background } from '../primitives/background.ts';
import type { Credentials, Handler, PipelineContext } from './call.ts';
import type { RunCapabilities, Start } from './run/segment.ts';
import type { Stage } from './stage.ts';
import type { Inside } from './transport.ts';

export type { Clock } from '../primitives/clock.ts';
export * from './call.ts';
export type { Connectivity, Host } from './host.ts';
export type { Strategy } from './outcome.ts';

/**
 * Wraps a handler. State that outlives a call lives in the policy's closure, so two pipelines share it by sharing the
 * value. A policy that never works without a call may leave `home` out.
 */
export type Wrapper = (next: Handler, pipeline: PipelineContext) => Handler;

/** A stage watches and decides; a wrapper runs what is inside it twice at once, not at all, or later. */
export type Policy = Stage | Wrapper;

/** Parts of the core that only some policies need. Those bring them, and a pipeline of other policies does without their bytes. */
export interface Capabilities extends RunCapabilities {
  /** Handlers of what is inside, for wrappers and for stages that send requests of their own. */
  readonly compose?: Compose;
  /** Work that outlives its call, for policies that have some. */
  readonly Background?: new () => Background;
  /** The user of each call, for policies that keep or share data. */
  readonly users?: (policies: readonly Policy[], partition: Partition) => Users;
}

/** Puts policies around a transport; the outermost is the first. */
export type Compose = (
  policies: readonly Policy[],
  transport: Inside,
  pipeline: PipelineContext,
  capabilities: RunCapabilities,
) => Start;

/** The user of the calls, as the application names it. */
export type Partition = string | (() => string | undefined) | undefined;

export interface Users {
  /** The partition of the user; `undefined` if no user is signed in, `''` if the application names none. */
  current(): string | undefined;
  /** What policies may ask. */
  readonly facts: Pick<PipelineContext, 'partition' | 'isPartitionConstant' | 'userChanges' | 'credentials'>;
  /** Ends what the policies hold of the user. */
  signOut?(options: SignOutOptions): Promise<SignedOut>;
}

/** What the pipeline knows of a policy without running it. */
export interface PolicyTraits {
  /** The key of the call's options that this policy reads and that, when `false`, bypasses it. */
  readonly option: string;
  /** The stages that it consists of, the outermost first, if it is more than one. Each has the same option. */
  readonly stages?: readonly Stage[];
  readonly brings?: Capabilities;
  /** Reads its options of a route or a call. @throws {ConfigurationError} for wrong ones. */
  readonly read?: (options: unknown) => unknown;
  /** A call may say `true` or `false` to it and nothing more. */
  readonly switchOnly?: boolean;
  /** It stores or shares data of a user: the pipeline must know the partition. */
  readonly needsPartition?: boolean;
  /** It names the user of the calls, in place of the pipeline's `partition`. */
  readonly partition?: () => string | undefined;
  /** It puts credentials on requests. */
  readonly credentials?: Credentials;
  /** Ends what it holds of a user, in all tabs. Of a policy that brings `users`. */
  readonly signOut?: (of: SigningOut) => Promise<Partial<SignedOut>>;
}

/** The data that was found of the user that signed out. */
export interface SignedOut {
  /** Writes in the outbox, waiting or dead letters: kept or removed. */
  readonly undelivered: number;
  /** Cached responses, which were deleted. */
  readonly cached: number;
}

export interface SigningOut {
  readonly partition: string;
  readonly undelivered: 'keep' | 'remove';
}

export interface SignOutOptions {
  /**
   * What becomes of writes that were not delivered. `'keep'`: they wait until this user signs in again. `'remove'`: they
   * are lost. Required if there is an outbox.
   */
  readonly undelivered?: 'keep' | 'remove' | undefined;
}

const traits = new WeakMap<Policy, PolicyTraits>();

/**
 * Gives a policy its name, which survives minification.
 *
 * @param name What events, errors and the call's options call it.
 * @param more `option` where several policies read one option (both time limits read `timeout`); the other traits.
 */
export function named<P extends Policy>(name: string, policy: P, more: Partial<PolicyTraits> = {}): P {
  traits.set(policy, { option: name, ...more });
  return Object.defineProperty(policy, 'name', { value: name });
}

/** Whether a value went through `named`, as all that our factories make did. */
export const isNamed = (value: unknown): value is Policy => traits.has(value as Policy);

/** The traits of a policy; one that was never named goes by its function's name. */
export const traitsOf = (policy: Policy): PolicyTraits => traits.get(policy) ?? { option: policy.name };
