# Gets a token from Azure PowerShell. The preceding lines set $resource and $tenant, which may be empty.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'

function Write-Result($result) {
    Write-Output ('azure_healthcare_auth: ' + (ConvertTo-Json -InputObject $result -Compress))
}

try {
    Import-Module -Name Az.Accounts -MinimumVersion 2.2.0
    $parameters = @{ ResourceUrl = $resource }
    if ($tenant) {
        $parameters['TenantId'] = $tenant
    }
    # Az.Accounts 2.17.0 added this parameter. Since 5.0.0 it has no effect.
    if ((Get-Command -Name Get-AzAccessToken).Parameters.ContainsKey('AsSecureString')) {
        $parameters['AsSecureString'] = $true
    }
    $response = Get-AzAccessToken @parameters
    $token = $response.Token
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
    Write-Result @{ token = $token; expires_on = ([DateTimeOffset]$response.ExpiresOn).ToUnixTimeSeconds() }
} catch {
    Write-Result @{ error_id = $_.FullyQualifiedErrorId; message = $_.Exception.Message }
}
