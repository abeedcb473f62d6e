/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: each of them alone is enough to have the whole private key. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Names of members of a JWK that nobody publishes. */
export function privateMembersOf(key: object): readonly string[] {
  return privateMembers.filter((name) => name in key);
}
