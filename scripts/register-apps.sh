#!/usr/bin/env bash
# Registers Cairn's two applications in the directory you are signed in to with
# the Azure CLI (az login), or brings them up to date: the detection application,
# which reads, and the response application, which acts. Nobody's tenant is
# touched by it: each consents later, by a link from Cairn.
# What each permission is for: docs/microsoft-365.md.
set -euo pipefail

usage() {
	cat <<'USAGE'
usage: scripts/register-apps.sh --public-url URL [--certificate FILE] [--level detection|response] [--print]

  --public-url URL     where people reach Cairn: Microsoft answers there, below /microsoft
  --certificate FILE   PEM certificate (without its key) to sign in with, in place of a secret
  --level LEVEL        only this application
  --print              print what would be registered, as JSON, and call nobody
USAGE
}

public='' certificate='' only='' print=''
while (($#)); do
	case $1 in
	--public-url) public=${2:?a URL}; shift 2 ;;
	--certificate) certificate=${2:?a file}; shift 2 ;;
	--level) only=${2:?detection or response}; shift 2 ;;
	--print) print=yes; shift ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
if [[ ! $public =~ ^https://[^\"\\[:space:]]+$ || ! $only =~ ^(|detection|response)$ ]]; then
	usage >&2
	exit 2
fi

# Where Entra sends an administrator back to, from consenting and from signing in.
redirects=("${public%/}/microsoft/consent" "${public%/}/microsoft/signin")

# level, API, app role, name: integrations/microsoft365 has the same table, and a test.
permissions() {
	cat <<'TABLE'
detection 00000003-0000-0000-c000-000000000000 b0afded3-3588-46d8-8b3d-9842eff778da AuditLog.Read.All
detection 00000003-0000-0000-c000-000000000000 7ab1d382-f21e-4acd-a863-ba3e13f7da61 Directory.Read.All
detection 00000003-0000-0000-c000-000000000000 df021288-bdef-4463-88db-98f22de89214 User.Read.All
detection 00000003-0000-0000-c000-000000000000 38d9df27-64da-44fd-b7c5-a6fbac20248f UserAuthenticationMethod.Read.All
detection 00000003-0000-0000-c000-000000000000 40f97065-369a-49f4-947c-6a255697ae91 MailboxSettings.Read
detection 00000003-0000-0000-c000-000000000000 9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30 Application.Read.All
detection 00000003-0000-0000-c000-000000000000 7438b122-aefc-4978-80ed-43db9fcc7715 Device.Read.All
detection 00000003-0000-0000-c000-000000000000 483bed4a-2ad3-4361-a73b-c83ccdbdc53c RoleManagement.Read.Directory
detection 00000003-0000-0000-c000-000000000000 498476ce-e0fe-48b0-b801-37ba7e2685c6 Organization.Read.All
detection 00000003-0000-0000-c000-000000000000 246dd0d5-5bd0-4def-940b-0421030a5b68 Policy.Read.All
detection c5393580-f805-4401-95e8-94b7a6ef2fc2 594c1fb6-4f81-4475-ae41-0c394909246c ActivityFeed.Read
detection 00000002-0000-0ff1-ce00-000000000000 dc50a0fb-09a3-484d-be87-e023b12c6440 Exchange.ManageAsApp
response 00000003-0000-0000-c000-000000000000 df021288-bdef-4463-88db-98f22de89214 User.Read.All
response 00000003-0000-0000-c000-000000000000 3011c876-62b7-4ada-afa2-506cbbecc68c User.EnableDisableAccount.All
response 00000003-0000-0000-c000-000000000000 77f3a031-c388-4f99-b373-dc68676a979e User.RevokeSessions.All
response 00000003-0000-0000-c000-000000000000 cc117bb9-00cf-4eb8-b580-ea2a878fe8f7 User-PasswordProfile.ReadWrite.All
response 00000003-0000-0000-c000-000000000000 50483e42-d915-4231-9639-7fdb7fd190e5 UserAuthenticationMethod.ReadWrite.All
response 00000003-0000-0000-c000-000000000000 6931bccd-447a-43d1-b442-00a195474933 MailboxSettings.ReadWrite
response 00000003-0000-0000-c000-000000000000 e2a3a72e-5f79-4c64-b1b1-878b674786c9 Mail.ReadWrite
response 00000003-0000-0000-c000-000000000000 1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9 Application.ReadWrite.All
response 00000003-0000-0000-c000-000000000000 8e8e4742-1d95-4f68-9d56-6ee75648c72a DelegatedPermissionGrant.ReadWrite.All
response 00000003-0000-0000-c000-000000000000 1138cb37-bd11-4084-a2b7-9f71582aeddb Device.ReadWrite.All
response 00000003-0000-0000-c000-000000000000 498476ce-e0fe-48b0-b801-37ba7e2685c6 Organization.Read.All
response 00000003-0000-0000-c000-000000000000 483bed4a-2ad3-4361-a73b-c83ccdbdc53c RoleManagement.Read.Directory
response 00000002-0000-0ff1-ce00-000000000000 dc50a0fb-09a3-484d-be87-e023b12c6440 Exchange.ManageAsApp
TABLE
}

# access LEVEL writes the requiredResourceAccess of an application.
access() {
	local comma='' api
	printf '['
	for api in $(permissions | awk -v level="$1" '$1 == level && !seen[$2]++ { print $2 }'); do
		printf '%s{"resourceAppId":"%s","resourceAccess":[' "$comma" "$api"
		permissions | awk -v level="$1" -v api="$api" \
			'$1 == level && $2 == api { printf "%s{\"id\":\"%s\",\"type\":\"Role\"}", comma, $3; comma = "," }'
		printf ']}'
		comma=,
	done
	printf ']'
}

# Who consents is told by their directory roles in the id token.
claims='{"idToken":[{"name":"wids","essential":false}]}'

register() {
	local level=$1 name="Cairn $1" id
	if [[ $print ]]; then
		printf '{"displayName":"%s","signInAudience":"AzureADMultipleOrgs","redirectUris":["%s","%s"],"optionalClaims":%s,"requiredResourceAccess":%s}\n' \
			"$name" "${redirects[@]}" "$claims" "$(access "$level")"
		return
	fi
	id=$(az ad app list --display-name "$name" --query "[?displayName=='$name'] | [0].appId" --output tsv)
	local settings=(--sign-in-audience AzureADMultipleOrgs --web-redirect-uris "${redirects[@]}"
		--required-resource-accesses "$(access "$level")" --optional-claims "$claims")
	if [[ $id ]]; then
		az ad app update --id "$id" "${settings[@]}" --output none
		echo "$name: brought up to date" >&2
	else
		id=$(az ad app create --display-name "$name" "${settings[@]}" --query appId --output tsv)
		echo "$name: registered" >&2
	fi
	echo "$level client id: $id"
	if [[ $certificate ]]; then
		az ad app credential reset --id "$id" --append --cert "@$certificate" --output none
		echo "$level credential: the certificate of $certificate"
	else
		# Shown once: enter it in Cairn, and keep it nowhere else.
		echo "$level client secret: $(az ad app credential reset --id "$id" --append --display-name Cairn --years 1 --query password --output tsv)"
	fi
}

for level in detection response; do
	if [[ -z $only || $only == "$level" ]]; then
		register "$level"
	fi
done
if [[ ! $print ]]; then
	echo "publisher (directory) id: $(az account show --query tenantId --output tsv)"
fi
