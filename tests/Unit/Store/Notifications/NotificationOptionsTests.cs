using Temper.Store.Notifications;

namespace Temper.Unit.Store.Notifications;

public class NotificationOptionsTests
{
    private const string Secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    private static readonly NotificationOptions Options = new()
    {
        Allowed = ["https://hooks.example/temper", "https://all.example:8443/", "http://127.0.0.1:9000/"],
        Secret = Secret,
    };

    [Theory]
    [InlineData("https://hooks.example/temper", true)]
    [InlineData("https://HOOKS.example/temper/runs?team=a", true)]
    [InlineData("https://hooks.example:443/temper/", true)]
    [InlineData("https://all.example:8443/any/thing", true)]
    [InlineData("http://127.0.0.1:9000/x", true)]
    [InlineData("https://hooks.example/temperature", false)]
    [InlineData("https://hooks.example/temper/../secret", false)]
    [InlineData("https://hooks.example/temper?path=%2Fa%2Eb", true)]
    [InlineData("https://hooks.example/temper/%2e%2e/secret", false)]
    [InlineData("https://hooks.example/temper/..%2Fsecret", false)]
    [InlineData("https://hooks.example/temper/..%5csecret", false)]
    [InlineData("https://hooks.example/temper/a%2Eb", false)]
    [InlineData("https://hooks.example:444/temper", false)]
    [InlineData("https://all.example/", false)]
    [InlineData("http://hooks.example/temper", false)]
    [InlineData("https://hooks.example.evil.example/temper", false)]
    [InlineData("https://hooks.example@evil.example/temper", false)]
    [InlineData("https://me:secret@hooks.example/temper", false)]
    [InlineData("https://hooks.example/temper#part", false)]
    [InlineData("https://hooks.example\\@evil.example/temper", false)]
    [InlineData("ftp://hooks.example/temper", false)]
    [InlineData("/temper", false)]
    [InlineData("", false)]
    public void Allows_AddressesOfTheListAndBelow(string address, bool allowed) => Assert.Equal(allowed, Options.Allows(address));

    [Fact]
    public void Allows_ByDefault_Nothing() =>
        Assert.False(new NotificationOptions().Checked(forSending: true).Allows("https://hooks.example/"));

    [Theory]
    [InlineData("http://hooks.example/")]
    [InlineData("https://hooks.example/?a=b")]
    [InlineData("hooks.example")]
    public void Checked_EntryThatIsNoAddress_Throws(string entry) =>
        Assert.Contains(
            entry,
            Assert.Throws<InvalidOperationException>(() => (Options with { Allowed = [entry] }).Checked(forSending: false)).Message
        );

    [Theory]
    [InlineData(null)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("whsec_AAAA")]
    [InlineData("whsec_?")]
    public void Checked_WithoutAUsableSecret_ThrowsWhereItIsNeeded(string? secret)
    {
        var options = Options with { Secret = secret };

        Assert.Throws<InvalidOperationException>(() => options.Checked(forSending: true));
        options.Checked(forSending: false);
        Assert.Equal(new byte[32], Options.SecretBytes());
    }

    [Fact]
    public void Checked_OtherWrongSettings_Throws()
    {
        Assert.Throws<InvalidOperationException>(() => (Options with { PrivateNetworks = ["10.0.0.0/33"] }).Checked(true));
        Assert.Throws<InvalidOperationException>(() => (Options with { RetrySeconds = 0.5 }).Checked(true));
    }

    [Fact]
    public void WaitAfter_EachTry_GrowsUntilTheLast()
    {
        Assert.Equal([5, 20, 80, 320, 1280, 5120, 20480], Enumerable.Range(1, 7).Select(i => Options.WaitAfter(i)!.Value.TotalSeconds));
        Assert.Null(Options.WaitAfter(8));
    }
}
