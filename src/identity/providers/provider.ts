import type { JwtPayload } from 'aws-jwt-verify/jwt-model';
import type { z } from 'zod';
import type { TokenUse } from '../../core/caller.ts';
import type { KnownPool } from '../../core/policy/mapping-reach.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import type { KeyType } from '../keys/key-type.ts';

/**
 * A kind of identity provider. What tokens of all kinds have in common (their form, times, keys and signature) is
 * checked before a kind is asked what one means.
 */
export interface ProviderKind<Settings = unknown> {
  /** Of the list `identity.<name in the table>` of the configuration. */
  readonly description: string;
  /** Of one entry in it. */
  readonly settings: z.ZodType<Settings>;
  /**
   * What such an entry stands for.
   *
   * @throws TypeError for settings that would accept tokens of anybody.
   */
  trust(settings: Settings): TrustedIssuer;
  /** Why a production configuration may not have such an entry. */
  productionFaults(settings: Settings): readonly EntryFault[];
}

export interface EntryFault {
  /** Its name in the entry. */
  readonly setting: string;
  readonly detail: string;
}

/** An entry of the allow-list: an issuer is never derived from a token. */
export interface TrustedIssuer {
  /** How role mappings and the audit log call it. */
  readonly name: string;
  /** What the provider itself calls it. Entries of one name are about one of these. */
  readonly id: string;
  /** Exact `iss`. */
  readonly issuer: string;
  readonly jwksUri: string;
  readonly keyType: KeyType;
  /** For a kind in which all have one `iss`: what tells them apart. */
  readonly shared?: SharedIssuer;
  /** What mappings can find in its tokens. */
  readonly reach: KnownPool;
  /**
   * What the claims say, of a token whose form and times are right but whose signature is still to be verified.
   *
   * @throws BrokerError with a `token_…` code.
   */
  identify(claims: JsonObject): TokenIdentity;
  /** The library that verifies signatures parses by itself: throws unless what it read passes, too. */
  confirm?(payload: JwtPayload, identity: TokenIdentity): void;
}

export interface SharedIssuer {
  /** The one `aud` of its tokens. */
  readonly audience: string;
  /** Of all who share the `iss`, for metrics. */
  readonly label: string;
}

export interface TokenIdentity {
  readonly tokenUse: TokenUse;
  readonly clientId: string | undefined;
  /** Stands for the app client itself, and no user. */
  readonly machine: boolean;
  readonly groups: readonly string[];
  readonly amr: readonly string[];
}
