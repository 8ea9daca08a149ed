package detect

// rogueApp is an application intruders like. Most are honest products: what
// makes them bad is who consented, and from where.
type rogueApp struct {
	name      string
	malicious bool   // hardly ever seen in honest use
	why       string // in our words
}

// rogueApps are known by application id. Facts compiled from
// github.com/huntresslabs/rogueapps, github.com/randomaccess3/detections and
// github.com/KelvinTegelaar/CIPP-API (Config/MaliciousApps.json).
var rogueApps = map[string]rogueApp{
	"a43e5392-f48b-46a4-a0f1-098b5eeb4757": {"CloudSponge", false, "it exports address books"},
	"412445a2-0794-487e-9dd6-d57d9593b249": {"CubeBackup", false, "it copies whole tenants"},
	"62db40a4-2c7e-4373-a609-eda138798962": {"Edison Mail", false, "it copies mailboxes"},
	"e9a7fea1-1cc0-4cd9-a31b-9137ca5deedd": {"eM Client", false, "it copies mailboxes and reads several side by side"},
	"77468577-4f6e-40e7-b745-11d3d0c28095": {"Fastmail", false, "it copies mail to an outside mailbox"},
	"231575bc-9f6c-4539-9241-5cfae696b630": {"Foxmail", false, "it copies mailboxes"},
	"b1c4926a-5fb6-4aad-b920-709c957be148": {"Horizon Tech", true, "it was seen in business email compromise"},
	"9af771d1-1288-43f0-91a6-adadcbd212b5": {"Jotform", false, "it hosts lures in the victim's name"},
	"2ef68ccc-8a4d-42ff-ae88-2d7bb89ad139": {"Mail_Backup", true, "it exports mailboxes, in takeovers almost only"},
	"a245e8c0-b53c-4b67-9b45-751d1dff8e6b": {"Newsletter Software Supermailer", false, "it sends mail in bulk"},
	"ff8d92dc-3d82-41d6-bcbd-b9174d163620": {"PerfectData Software", true, "it exports mailboxes, in takeovers almost only"},
	"179d5108-412b-4c95-8e34-06786784ab39": {"PostBox", false, "it copies mailboxes"},
	"b15665d9-eda6-4092-8539-0eec376afd59": {"rclone", false, "it copies whole drives and sites"},
	"4761b959-9780-4c2d-87a3-512b4638f767": {"rclone", false, "it copies whole drives and sites"},
	"caffae8c-0882-4c81-9a27-d1803af53a40": {"SigParser", false, "it harvests contacts"},
	"946c777c-bc85-489e-b034-392389ae23d6": {"Spike", false, "it reads and sends mail, also in bulk"},
	"1a9b8d93-0d60-4835-896f-83016de95ff5": {"Teleforge Directory", true, "it was seen in business email compromise"},
	"497ac034-5120-4c1a-929a-0351f5c09918": {"ZoomInfo Communitiez Login", false, "it harvests contacts and mail"},
	"858d7e42-35f0-44b7-9033-df309239a47f": {"Zoominfo Login", false, "it harvests contacts"},
}
