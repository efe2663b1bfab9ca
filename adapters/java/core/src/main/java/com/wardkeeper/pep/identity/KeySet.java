package com.wardkeeper.pep.identity;

import com.wardkeeper.pep.json.Json;
import com.wardkeeper.pep.json.MalformedJsonException;
import java.io.IOException;
import java.math.BigInteger;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.spec.ECFieldFp;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.EllipticCurve;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.NamedParameterSpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Reads JSON Web Key Sets (RFC 7517). */
final class KeySet {
  static final int MAX_BYTES = 256 << 10;
  private static final int MAX_KEYS = 100;
  private static final int MIN_RSA = 2048; // bits
  private static final int MAX_RSA = 16_384; // bits: a longer one is slow to compute with
  private static final Map<String, String> CURVES =
      Map.of("P-256", "secp256r1", "P-384", "secp384r1", "P-521", "secp521r1");

  private KeySet() {}

  /**
   * Keeps the public keys that can verify signatures. Keys of types that are not known are skipped:
   * issuers add new ones.
   *
   * @throws IOException if the set cannot be used
   */
  static List<Key> parse(byte[] data) throws IOException {
    List<Object> entries;
    try {
      entries = Json.array(Json.parseObject(data).get("keys"));
    } catch (MalformedJsonException e) {
      entries = null;
    }
    if (data.length > MAX_BYTES || entries == null || entries.size() > MAX_KEYS) {
      throw new IOException("it is not a JSON Web Key Set, or one that is too large");
    }
    List<Key> keys = new ArrayList<>();
    for (Object entry : entries) {
      Map<String, Object> members = Json.object(entry);
      if (members == null || !isForVerifying(members)) {
        continue;
      }
      try {
        PublicKey key = key(members);
        if (key != null) {
          keys.add(new Key(Json.text(members.get("kid")), Json.text(members.get("alg")), key));
        }
      } catch (GeneralSecurityException | IllegalArgumentException e) {
        // An issuer may publish keys that are of no use here.
      }
    }
    if (keys.isEmpty()) {
      throw new IOException("it has no public key that can verify a signature");
    }
    return List.copyOf(keys);
  }

  private static boolean isForVerifying(Map<String, Object> members) {
    List<Object> operations = Json.array(members.get("key_ops"));
    boolean verifies =
        members.containsKey("key_ops") ? operations != null && operations.contains("verify") : true;
    boolean isText =
        members.getOrDefault("kid", "") instanceof String
            && members.getOrDefault("alg", "") instanceof String;
    return verifies && isText && "sig".equals(members.getOrDefault("use", "sig"));
  }

  /**
   * Returns a key. A private or symmetric one, which an issuer must not publish, and a short one
   * are none.
   */
  private static PublicKey key(Map<String, Object> members) throws GeneralSecurityException {
    if (Stream.of("d", "k", "p", "q").anyMatch(members::containsKey)) {
      return null;
    }
    return switch (Json.text(members.get("kty"))) {
      case "RSA" -> rsa(number(members, "n"), number(members, "e"));
      case "EC" -> curve(Json.text(members.get("crv")), number(members, "x"), number(members, "y"));
      case "OKP" -> edwards(Json.text(members.get("crv")), bytes(members, "x"));
      default -> null;
    };
  }

  private static PublicKey rsa(BigInteger modulus, BigInteger exponent)
      throws GeneralSecurityException {
    if (modulus.bitLength() < MIN_RSA || modulus.bitLength() > MAX_RSA) {
      return null;
    }
    return KeyFactory.getInstance("RSA").generatePublic(new RSAPublicKeySpec(modulus, exponent));
  }

  private static PublicKey curve(String name, BigInteger x, BigInteger y)
      throws GeneralSecurityException {
    if (!CURVES.containsKey(name)) {
      return null;
    }
    AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
    parameters.init(new ECGenParameterSpec(CURVES.get(name)));
    ECParameterSpec specification = parameters.getParameterSpec(ECParameterSpec.class);
    EllipticCurve curve = specification.getCurve();
    BigInteger prime = ((ECFieldFp) curve.getField()).getP();
    BigInteger right = x.pow(3).add(curve.getA().multiply(x)).add(curve.getB());
    boolean isOnCurve =
        x.compareTo(prime) < 0
            && y.compareTo(prime) < 0
            && y.pow(2).subtract(right).mod(prime).signum() == 0;
    if (!isOnCurve) {
      throw new InvalidKeySpecException("the point is not on the curve");
    }
    return KeyFactory.getInstance("EC")
        .generatePublic(new ECPublicKeySpec(new ECPoint(x, y), specification));
  }

  private static PublicKey edwards(String name, byte[] encoded) throws GeneralSecurityException {
    if (!name.equals("Ed25519") || encoded.length != 32) {
      return null;
    }
    byte[] reversed = new byte[encoded.length];
    for (int i = 0; i < encoded.length; i++) {
      reversed[i] = encoded[encoded.length - 1 - i];
    }
    boolean isOdd = (reversed[0] & 0x80) != 0;
    reversed[0] &= 0x7f;
    EdECPoint point = new EdECPoint(isOdd, new BigInteger(1, reversed));
    return KeyFactory.getInstance("EdDSA")
        .generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
  }

  private static BigInteger number(Map<String, Object> members, String name) {
    return new BigInteger(1, bytes(members, name));
  }

  private static byte[] bytes(Map<String, Object> members, String name) {
    return decode(Json.text(members.get(name)));
  }

  /**
   * Decodes base64url without padding.
   *
   * @throws IllegalArgumentException also for another spelling of the same
   */
  static byte[] decode(String text) {
    byte[] decoded = Base64.getUrlDecoder().decode(text);
    if (!Base64.getUrlEncoder().withoutPadding().encodeToString(decoded).equals(text)) {
      throw new IllegalArgumentException("the text is not base64url");
    }
    return decoded;
  }
}
