// What a request to the API server is about, in the words of a SubjectAccessReview.

/** What a request is about, for messages and for the right that is missing. */
export interface ResourceAttributes {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete';
  readonly resource: 'configmaps' | 'secrets' | 'events' | 'leases';
  readonly namespace: string;
  readonly name?: string;
}
