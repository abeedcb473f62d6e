// Exchanges tokens and edits a role mapping with a generated client.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sort"
	"time"

	tokenbroker "example.com/tokenbroker/client"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	result := map[string]any{}
	for _, step := range []func(context.Context, map[string]any) error{exchange, refusals, edit, keep} {
		if err := step(ctx, result); err != nil {
			log.Fatal(err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func client(url, token string) *tokenbroker.APIClient {
	config := tokenbroker.NewConfiguration()
	config.Servers = tokenbroker.ServerConfigurations{{URL: os.Getenv(url)}}
	config.AddDefaultHeader("Authorization", "Bearer "+os.Getenv(token))
	config.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	return tokenbroker.NewAPIClient(config)
}

func exchange(ctx context.Context, result map[string]any) error {
	api := client("BROKER_URL", "ORDERS_TOKEN").CredentialsAPI
	only, _, err := api.IssueCredentials(ctx).Execute()
	if err != nil {
		return err
	}
	request := tokenbroker.NewCredentialsRequest()
	request.SetRole("orders-writer")
	request.SetDurationSeconds(900)
	named, _, err := api.IssueCredentials(ctx).CredentialsRequest(*request).Execute()
	if err != nil {
		return err
	}
	result["exchange"] = map[string]any{
		"role":     named.Role,
		"sameRole": only.Role == named.Role,
		"lasts":    named.Credentials.Expiration.After(time.Now()),
	}
	return nil
}

// problemOf returns what the broker said, if the error is an answer of the broker.
func problemOf(err error) (*tokenbroker.Problem, error) {
	var answer *tokenbroker.GenericOpenAPIError
	if !errors.As(err, &answer) {
		return nil, fmt.Errorf("not refused: %w", err)
	}
	problem, ok := answer.Model().(tokenbroker.Problem)
	if !ok {
		return nil, fmt.Errorf("not a problem document: %w", err)
	}
	return &problem, nil
}

func refusal(ctx context.Context, token string) (*tokenbroker.Problem, error) {
	_, _, err := client("BROKER_URL", token).CredentialsAPI.IssueCredentials(ctx).Execute()
	return problemOf(err)
}

func refusals(ctx context.Context, result map[string]any) error {
	denied, err := refusal(ctx, "STRANGER_TOKEN")
	if err != nil {
		return err
	}
	if denied.Code != tokenbroker.ERRORCODE_ACCESS_DENIED {
		return fmt.Errorf("refused with %s", denied.Code)
	}
	ambiguous, err := refusal(ctx, "REPORTS_TOKEN")
	if err != nil {
		return err
	}
	choices := []string{}
	for _, choice := range ambiguous.Choices {
		choices = append(choices, choice.Mapping)
	}
	sort.Strings(choices)
	result["denied"] = map[string]any{
		"status": denied.Status, "code": denied.Code, "requestId": denied.RequestId != "",
	}
	result["ambiguous"] = map[string]any{
		"status": ambiguous.Status, "code": ambiguous.Code, "choices": choices,
	}
	return nil
}

func edit(ctx context.Context, result map[string]any) error {
	api := client("BROKER_ADMIN_URL", "ADMIN_TOKEN").AdminAPI
	read, response, err := api.GetRoleMapping(ctx, "orders-writer").Execute()
	if err != nil {
		return err
	}
	etag := response.Header.Get("ETag")
	mapping, err := asInput(read.Mapping.Get())
	if err != nil {
		return err
	}
	reason := os.Getenv("CHANGE_REASON")
	mapping.SetDescription(reason)
	conditions := mapping.GetConditions()
	conditions.SetExpiresAt("2099-12-31T00:00:00Z")
	mapping.SetConditions(conditions)
	replace := api.PutRoleMapping(ctx, "orders-writer").
		IfMatch(etag).ChangeReason(reason).RoleMappingInput(*mapping)
	edited, response, err := replace.Execute()
	if err != nil {
		return err
	}
	_, _, err = replace.Execute()
	stale, err := problemOf(err)
	if err != nil {
		return err
	}
	now := edited.Mapping.Get()
	result["edit"] = map[string]any{
		"etag":        response.Header.Get("ETag"),
		"description": now.Description,
		"expiresAt":   now.Conditions.GetExpiresAt(),
	}
	result["stale"] = map[string]any{"status": stale.Status, "code": stale.Code}
	result["version"] = edited.GetVersion()
	return nil
}

func keep(_ context.Context, result map[string]any) error {
	mapping := new(tokenbroker.RoleMappingOrNull)
	if err := json.Unmarshal([]byte(os.Getenv("FUTURE_MAPPING")), mapping); err != nil {
		return err
	}
	kept, err := asInput(mapping)
	result["kept"] = kept
	return err
}

// asInput keeps members that this client does not know, so that an edit cannot drop them.
func asInput(mapping *tokenbroker.RoleMappingOrNull) (*tokenbroker.RoleMappingInput, error) {
	document, err := json.Marshal(mapping)
	if err != nil {
		return nil, err
	}
	input := new(tokenbroker.RoleMappingInput)
	return input, json.Unmarshal(document, input)
}
