/** Headers that make one request an authenticated one. Used for that request only. */
export interface Grant {
  readonly headers: Readonly<Record<string, string>>;
}

/** How requests are authenticated: `oauth.ts` for API 2.0, `hmac.ts` for API 1.0. */
export interface Authorization {
  /**
   * Grants one attempt at the path; a second attempt needs its own grant. May ask Mimecast for a token first.
   * Rejects with a `MimecastError`, or with the signal's reason.
   */
  grant(path: string, requestId: string, signal: AbortSignal): Promise<Grant>;
  /** To be told that Mimecast refused the grant. True when a new grant is different, so that one more attempt is worth it. */
  refused(grant: Grant): boolean;
  /** What must never show in a message, as it is now. */
  secrets(): readonly string[];
}
