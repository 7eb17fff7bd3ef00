// Labels and annotations of Secrets: whose they are, and what somebody asks of them.

export const MANAGED_BY = 'app.kubernetes.io/managed-by';
/** `namespace/name` of the ConfigMap that a Secret of ours comes from. */
export const SOURCE = 'pgsteward.dev/source';
/** Whose password it holds: on Secrets that we make, and on those whose makers allow that connection Secrets repeat it. */
export const PASSWORD_OF = 'pgsteward.dev/password-of';
/** The user that a connection Secret is for. */
export const CONNECTION_OF = 'pgsteward.dev/connection-of';
/** A digest of what a connection Secret was made from. */
export const MADE_FROM = 'pgsteward.dev/made-from';
/** When the password was drawn, in ISO 8601. */
export const GENERATED_AT = 'pgsteward.dev/generated-at';
/** A new value asks for a new password. */
export const ROTATE_AT = 'pgsteward.dev/rotate-at';
/** The value that was last followed. */
export const ROTATED_FOR = 'pgsteward.dev/rotated-for';
/** As whom the password logs in, where two users take turns. */
export const LOGIN = 'pgsteward.dev/login';

/** Whether it is one that we made for a user of a source. */
export const isMadeFor = (
  { labels, annotations }: { readonly labels: Readonly<Record<string, unknown>>; readonly annotations: Readonly<Record<string, unknown>> },
  user: string,
  source: string,
): boolean => labels[MANAGED_BY] === 'pgsteward' && annotations[SOURCE] === source && annotations[PASSWORD_OF] === user;
