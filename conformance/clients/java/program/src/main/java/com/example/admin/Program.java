package com.example.admin;

import com.example.tokenbroker.ApiClient;
import com.example.tokenbroker.ApiException;
import com.example.tokenbroker.ApiResponse;
import com.example.tokenbroker.JSON;
import com.example.tokenbroker.api.AdminApi;
import com.example.tokenbroker.api.CredentialsApi;
import com.example.tokenbroker.model.Conditions;
import com.example.tokenbroker.model.CredentialsRequest;
import com.example.tokenbroker.model.EditResult;
import com.example.tokenbroker.model.ErrorCode;
import com.example.tokenbroker.model.IssuedCredentials;
import com.example.tokenbroker.model.Problem;
import com.example.tokenbroker.model.RoleChoice;
import com.example.tokenbroker.model.RoleMappingInput;
import com.example.tokenbroker.model.RoleMappingOrNull;
import com.example.tokenbroker.model.RoleMappingVersion;
import java.io.IOException;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Exchanges tokens and edits a role mapping with a generated client. */
public final class Program {
  public static void main(String[] args) throws ApiException, IOException {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("exchange", exchange());
    refusals(result);
    edit(result);
    result.put("kept", asInput(RoleMappingOrNull.fromJson(System.getenv("FUTURE_MAPPING"))));
    System.out.println(JSON.getGson().toJson(result));
  }

  private static ApiClient client(String url, String token) {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv(url));
    client.setBearerToken(System.getenv(token));
    return client.setConnectTimeout(10_000).setReadTimeout(10_000);
  }

  private static Map<String, Object> exchange() throws ApiException {
    CredentialsApi api = new CredentialsApi(client("BROKER_URL", "ORDERS_TOKEN"));
    IssuedCredentials only = api.issueCredentials(null);
    IssuedCredentials named =
        api.issueCredentials(new CredentialsRequest().role("orders-writer").durationSeconds(900));
    return Map.of(
        "role", named.getRole(),
        "sameRole", only.getRole().equals(named.getRole()),
        "lasts", named.getCredentials().getExpiration().isAfter(OffsetDateTime.now()));
  }

  private static Problem refusal(String token) {
    try {
      new CredentialsApi(client("BROKER_URL", token)).issueCredentials(null);
    } catch (ApiException e) {
      return e.getErrorObject();
    }
    throw new IllegalStateException("not refused");
  }

  private static void refusals(Map<String, Object> result) {
    Problem denied = refusal("STRANGER_TOKEN");
    if (denied.getCode() != ErrorCode.ACCESS_DENIED) {
      throw new IllegalStateException("refused with " + denied.getCode());
    }
    Problem ambiguous = refusal("REPORTS_TOKEN");
    List<String> choices =
        ambiguous.getChoices().stream()
            .map(RoleChoice::getMapping)
            .sorted()
            .collect(Collectors.toList());
    result.put(
        "denied",
        Map.of(
            "status", denied.getStatus(),
            "code", denied.getCode(),
            "requestId", !denied.getRequestId().isEmpty()));
    result.put(
        "ambiguous",
        Map.of(
            "status", ambiguous.getStatus(), "code", ambiguous.getCode(), "choices", choices));
  }

  private static void edit(Map<String, Object> result) throws ApiException, IOException {
    AdminApi api = new AdminApi(client("BROKER_ADMIN_URL", "ADMIN_TOKEN"));
    ApiResponse<RoleMappingVersion> read = api.getRoleMappingWithHttpInfo("orders-writer");
    String etag = read.getHeaders().get("ETag").get(0);
    String reason = System.getenv("CHANGE_REASON");
    RoleMappingInput mapping = asInput(read.getData().getMapping()).description(reason);
    Conditions conditions =
        mapping.getConditions() == null ? new Conditions() : mapping.getConditions();
    mapping.setConditions(conditions.expiresAt("2099-12-31T00:00:00Z"));
    ApiResponse<EditResult> edited =
        api.putRoleMappingWithHttpInfo("orders-writer", reason, mapping, etag, null, null, null, null, null);
    Problem stale = null;
    try {
      api.putRoleMapping("orders-writer", reason, mapping, etag, null, null, null, null, null);
    } catch (ApiException e) {
      stale = e.getErrorObject();
    }
    result.put(
        "edit",
        Map.of(
            "etag", edited.getHeaders().get("ETag").get(0),
            "description", edited.getData().getMapping().getDescription(),
            "expiresAt", edited.getData().getMapping().getConditions().getExpiresAt()));
    result.put("stale", Map.of("status", stale.getStatus(), "code", stale.getCode()));
    result.put("version", edited.getData().getVersion());
  }

  /** Keeps members that this client does not know, so that an edit cannot drop them. */
  private static RoleMappingInput asInput(RoleMappingOrNull mapping) throws IOException {
    return RoleMappingInput.fromJson(mapping.toJson());
  }

  private Program() {}
}
