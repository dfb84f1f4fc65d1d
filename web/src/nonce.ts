/* The server puts a fresh nonce into the page and into its content policy: styles that libraries make carry it. */
export const styleNonce: string = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
