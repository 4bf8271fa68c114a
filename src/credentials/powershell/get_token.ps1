# Asks Azure PowerShell for a token. The lines before this set $resource, and $tenant, which may be empty.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'

function Write-Answer($answer) {
    Write-Output ('azure_healthcare_auth: ' + (ConvertTo-Json -InputObject $answer -Compress))
}

try {
    Import-Module -Name Az.Accounts -MinimumVersion 2.2.0
    $parameters = @{ ResourceUrl = $resource }
    if ($tenant) {
        $parameters['TenantId'] = $tenant
    }
    # From 2.17.0. From 5.0.0 it changes nothing.
    if ((Get-Command -Name Get-AzAccessToken).Parameters.ContainsKey('AsSecureString')) {
        $parameters['AsSecureString'] = $true
    }
    $got = Get-AzAccessToken @parameters
    $token = $got.Token
    if ($token -is [System.Security.SecureString]) {
        if ($PSVersionTable.PSVersion.Major -ge 7) {
            $token = ConvertFrom-SecureString -SecureString $token -AsPlainText
        } else {
            $pointer = [System.Runtime.InteropServices.Marshal]::SecureStringToBSTR($token)
            try {
                $token = [System.Runtime.InteropServices.Marshal]::PtrToStringBSTR($pointer)
            } finally {
                [System.Runtime.InteropServices.Marshal]::ZeroFreeBSTR($pointer)
            }
        }
    }
    Write-Answer @{ token = $token; expires_on = ([DateTimeOffset]$got.ExpiresOn).ToUnixTimeSeconds() }
} catch {
    Write-Answer @{ id = $_.FullyQualifiedErrorId; said = $_.Exception.Message }
}
