using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

public sealed class RunnerProcessTests
{
    [Theory]
    [InlineData("ConnectionStrings__Temper", true)]
    [InlineData("DOTNET_ConnectionStrings__Temper", true)]
    [InlineData("ASPNETCORE_connectionstrings:temper", true)]
    [InlineData("CUSTOMCONNSTR_Temper", true)]
    [InlineData("DOTNET_SQLCONNSTR_Temper", true)]
    [InlineData("DOTNET_Notifications__Secret", true)]
    [InlineData("Kestrel__Certificates__Default__Password", true)]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", true)]
    [InlineData("PGPASSWORD", true)]
    [InlineData("PGPASSFILE", true)]
    [InlineData("TEMPER_KEY", true)]
    [InlineData("TEMPER_HOME", false)]
    [InlineData("Worker__Mirror", false)]
    [InlineData("DOTNET_gcServer", false)]
    [InlineData("LD_LIBRARY_PATH", false)]
    public void IsSecret_OfAVariable_IsTrueWhereItMayHaveOne(string variable, bool isSecret) =>
        Assert.Equal(isSecret, RunnerProcess.IsSecret(variable));
}
