/** What a listener of `subscribe` hears; never a token. */
export type AuthEvent = OfUser &
  (
    | { readonly type: 'signed-in' | 'refreshed' }
    /** `'refused'`: the authorization server gives no more tokens. */
    | { readonly type: 'signed-out'; readonly reason: 'application' | 'refused' }
  );

interface OfUser {
  readonly partition: string;
  /** It happened in another tab or worker. */
  readonly remote: boolean;
}
